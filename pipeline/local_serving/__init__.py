"""A development server with TF Serving's behavior, as far as a client can see it.

- `server`: listens until SIGTERM.
- `services`: the gRPC services; no other module knows gRPC.
- `model_folder`: a model's folder, its versions and labels.
- `served_model`: the newest versions and their states.
- `servable`: one loaded version.
- `tensor_protos`: a request's tensors, checked against a signature.
"""

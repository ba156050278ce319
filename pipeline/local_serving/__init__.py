"""A development server with TF Serving's behavior, as far as a client can see it.

- `tensor_protos`: a request's tensors, checked against a signature.
- `servable`: one loaded version.
- `served_model`: a model's folder, its newest versions, labels, and their states.
- `services`: the gRPC services over it; the rest knows no gRPC.
"""

"""A development server with TF Serving's behavior, as far as a client can see it.

- `services`: the gRPC services, until SIGTERM; with `health`, the modules that know gRPC.
- `health`: whether it serves, for readiness probes and for clients.
- `model_folder`: a model's folder and its versions; `version_labels`: their labels, as flags.
- `served_model`: the newest versions and their states.
- `servable`: one loaded version.
- `log_flags`, `tls_flags`: the request log and TLS, by flags.
- `tensor_protos`: a request's tensors, checked against a signature.
"""

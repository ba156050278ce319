"""Where and how a job's process runs: this machine, Docker, Kubernetes.

- `targets`: runs a submission on one of them, or prints what would run.
- `submission`, `settings`, `setting_types`: one job with its flags, image and resources.
- `serving`, `serve_settings`: a model's rollout and the servers for it.
- `jobs`: the jobs that there are, their command lines, and the check of their flags.
- `commands`, `processes`: commands of this machine, and how they run together.
- `manifests`, `serve_manifests`, `pods`: what Kubernetes is given; `yaml_text`: the same as text.
- `awaited_job`: waits for it.
"""

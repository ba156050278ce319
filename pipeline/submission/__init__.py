"""Where and how a job's process runs: this machine, Docker, Kubernetes."""

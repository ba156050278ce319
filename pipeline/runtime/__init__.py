"""What every job shares: main, flags, logging, SIGTERM, environment, JSON."""

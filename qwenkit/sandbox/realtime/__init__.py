"""The realtime socket of the sandbox: sessions that listen, speak, call tools and are interrupted."""

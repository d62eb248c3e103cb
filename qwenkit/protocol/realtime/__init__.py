"""The realtime socket, sans I/O: frames in, events out; commands in, frames out; turns folded from both."""

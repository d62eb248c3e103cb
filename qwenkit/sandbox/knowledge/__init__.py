"""Knowledge bases: documents in, chunks found."""

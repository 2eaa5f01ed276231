"""The services on the wire: thin, each method checks, asks the control room, and answers."""

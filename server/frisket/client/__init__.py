"""The one synchronous client. Standard library and protobuf only, so that an editor's own Python can carry it."""

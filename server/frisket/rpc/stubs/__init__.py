"""Generated protobuf and gRPC stubs of frisket.v1. Nobody edits this folder."""

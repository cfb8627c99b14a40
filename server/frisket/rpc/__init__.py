"""The gRPC front: servicers, conversion, limits, auth and error mapping. Loads no engine and no model."""

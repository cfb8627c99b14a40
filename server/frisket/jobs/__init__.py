"""Jobs: durable rows and files, a fair queue, and the desk that hands work to a runner. Requests are opaque here."""

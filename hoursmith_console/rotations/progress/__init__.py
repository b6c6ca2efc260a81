"""How far one rotation is: the order of its steps, what people did, what the bridge saw of it."""

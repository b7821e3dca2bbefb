"""CoinRun on the device: levels, physics and pictures bit for bit as Procgen makes them."""

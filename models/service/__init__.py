"""Service: requests, response times, interference, energy attribution, exposure."""

"""Models: pure state and equations, without a clock; randomness is passed in."""

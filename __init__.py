"""farmsim"""

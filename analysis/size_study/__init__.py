"""How many hosts a farm needs: floors, placement, failures, simulation, verdict, page."""

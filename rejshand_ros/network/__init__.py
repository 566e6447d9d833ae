"""ReJSHand as torch modules, its weights and their export."""

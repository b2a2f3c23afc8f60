"""HTTP and websockets: pages, the API, and the edge around them. Only here are errors given a status."""

"""The collaboration strategy as a LangGraph graph: state, context, nodes, routing, wiring."""

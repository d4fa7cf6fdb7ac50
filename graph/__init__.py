"""The collaboration strategy as a LangGraph graph: state, context, strategies, nodes, wiring."""

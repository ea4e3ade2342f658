"""Where a test loss is going: the law that its curve follows, and how often a forecast by that law held. docs/forecast.md explains it."""

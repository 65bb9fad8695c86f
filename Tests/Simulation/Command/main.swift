import Simulation

Simulate.main(Array(CommandLine.arguments.dropFirst()))

// Package harness runs the real program: it builds the binary once, starts it
// as a child process on a folder of its own, waits until it serves, and stops
// or kills it. Tests and benchmarks use it; nothing in it knows an operation.
//
// [Program], [Server] and [Until] need no test. [Main] and [Serve] are the same
// for tests, with the logs of a server that was under test when one fails.
package harness

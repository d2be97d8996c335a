// Package settings keeps the parameters that stages and scripts declare, and what they are set to while a run goes on.
//
// A Book takes changes from anybody at any time (Set), refuses those that make no sense, and gathers the others until whoever
// moves the data asks for them between two events (Turn): then they hold from the next event on, all at once, under one more
// generation. So a flood costs no more than one change, the last value of each parameter wins, and generations only go up.
//
// All methods of a Book may be called by any number of goroutines.
package settings

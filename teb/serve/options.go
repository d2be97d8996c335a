package serve

import (
	"log/slog"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
)

// Options of a Server or a Client; zero values become the defaults.
type Options struct {
	World     world.World // the real one
	Log       *slog.Logger
	Partition string
	Heartbeat time.Duration // 500 ms
	History   int           // decisions that a Server remembers, 65536; a Client at most 16384
	Window    int           // rows of a Client without a decision; 4096
	Decide    time.Duration // how long a Client waits for a decision; 5 s
	Default   teb.Verdict   // what it gives then
	Grace     time.Duration // how long it waits after its connection was lost; then it gives that at once until the Server is back. 0: never
	Share     int           // of a Client whose Server shares the events with others: which it is, from 0
	Shares    int           // and how many there are; 1
}

func (o Options) withDefaults() Options {
	if o.World == nil {
		o.World = world.Real()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Heartbeat == 0 {
		o.Heartbeat = 500 * time.Millisecond
	}
	if o.History == 0 {
		o.History = 1 << 16
	}
	if o.Window == 0 {
		o.Window = 4096
	}
	if o.Shares == 0 {
		o.Shares = 1
	}
	if o.Decide == 0 {
		o.Decide = 5 * time.Second
	}
	return o
}

func (o Options) wire() wire.Options {
	return wire.Options{Log: o.Log, MessageBytes: messageBytes, Patience: 3 * o.Heartbeat, Peers: 2 * teb.MaxContributors}
}

// batchDecisions is the most that goes into a message.
const batchDecisions = 4096

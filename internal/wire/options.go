package wire

import (
	"log/slog"
	"time"

	"github.com/go-zeromq/zmq4"
)

// Options of a Pub or a Sub; zero values become the defaults.
type Options struct {
	Log          *slog.Logger  // who was refused, who was too slow; nobody is told when it is nil
	Unanswered   func(error)   // is told of each attempt of a Sub to connect that failed; may be nil
	Queue        int           // messages that wait for one subscriber; 256
	Patience     time.Duration // for one message to be written; 5 s
	Peers        int           // connections at a time; 1024
	MessageBytes int           // the largest message that a Sub takes; 64 KiB
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Queue == 0 {
		o.Queue = 256
	}
	if o.Patience == 0 {
		o.Patience = 5 * time.Second
	}
	if o.Peers == 0 {
		o.Peers = 1024
	}
	if o.MessageBytes == 0 {
		o.MessageBytes = 64 << 10
	}
	return o
}

// A subscriber says what it wants to hear, and nothing else: so much of it is listened to.
const (
	topicBytes    = 256
	topicsPerPeer = 64
	messageFrames = 8
)

// requestBytes is what is read of who asks a REP, with the frames that say whom the answer is for.
const requestBytes = 4096

// limits are those of what comes in: a Pub hears topics, with one byte before them, and a Push nothing at all.
func (o Options) limits(kind zmq4.SocketType) limits {
	switch kind {
	case zmq4.Pub, zmq4.Push:
		return limits{frameBytes: topicBytes + 1, messageBytes: topicBytes + 1, frames: 1}
	case zmq4.Rep:
		return limits{frameBytes: requestBytes, messageBytes: requestBytes, frames: messageFrames}
	}
	return limits{frameBytes: uint64(o.MessageBytes), messageBytes: uint64(o.MessageBytes), frames: messageFrames}
}

package drp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"drp/calib"
	"drp/calib/publish"
)

// Calibration says where a run takes its constants from, and to whom it tells of them beside its own processes.
type Calibration struct {
	Store     calib.Store // nil is none: nothing is corrected
	Deadline  time.Duration
	Strict    bool           // end the run when the store gives something that cannot be used
	Partition string         // in the names of sockets; empty is this process alone
	Folder    string         // of the sockets; empty is the user's own
	Listen    string         // HOST:PORT for other machines; empty is none
	Allow     []netip.Prefix // who may connect there
}

// constants is a store and the publisher of this process.
type constants struct {
	store     calib.Store
	publisher *publish.Publisher
	cfg       publish.Config
	alone     bool // the partition is this process: nobody will go on from its generations
	log       *slog.Logger
	// held is what children may be told of, of each detector: that of the BeginRun and the latest. A child that takes the
	// place of another sees both.
	held map[string][]*publish.Segment
}

func newConstants(c *Calibration, loops bool, log *slog.Logger) (*constants, error) {
	k := &constants{store: c.Store, log: log, held: map[string][]*publish.Segment{},
		cfg: publish.Config{Partition: c.Partition, Folder: c.Folder, Listen: c.Listen, Allow: c.Allow, Loops: loops, Log: log}}
	if k.cfg.Partition == "" {
		k.cfg.Partition, k.alone = "pid-"+strconv.Itoa(os.Getpid()), true
	}
	var err error
	if k.cfg.Folder == "" {
		if k.cfg.Folder, err = publish.Folder(); err != nil {
			return nil, err
		}
	}
	if k.publisher, err = publish.NewPublisher(k.cfg); err != nil {
		return nil, err
	}
	if addr := k.publisher.Addr(); addr != nil {
		log.Info("other machines get the constants at tcp://" + addr.String())
	}
	return k, nil
}

// Fetch implements Constants.
func (k *constants) Fetch(ctx context.Context, q calib.Query) (*calib.Set, error) {
	s, err := k.store.Get(ctx, q)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return s, err
}

// Load implements Constants.
func (k *constants) Load(ctx context.Context, id string, q calib.Query) (*calib.Set, error) {
	s, err := k.store.Load(ctx, id)
	if err != nil {
		return nil, err
	}
	part := s.Subset(q.Serials)
	if part == nil {
		return nil, &calib.RefusedError{Detector: q.Detector, Reason: fmt.Sprintf("the set %s is of %s, segments %s", id,
			s.Detector, calib.Serial(s.Serials))}
	}
	return part, nil
}

// Publish implements Constants.
func (k *constants) Publish(run int, step bool, set *calib.Set) (Held, error) {
	seg, err := k.publisher.Publish(set, run)
	if err != nil {
		return Held{}, err
	}
	keep := 0
	if step {
		keep = 1
	}
	k.release(set.Detector, keep)
	k.held[set.Detector] = append(k.held[set.Detector], seg)
	k.log.Info(fmt.Sprintf("run %d: the constants of %s are the set %.12s, generation %d", run, set.Detector, set.ID,
		seg.Generation))
	return Held{Set: seg.Set(), ID: set.ID, Generation: seg.Generation, Segment: seg.Segment, Layout: seg.Layout}, nil
}

// release gives back what nobody will be told of any more, but for the first ones.
func (k *constants) release(detector string, keep int) {
	held := k.held[detector]
	for i := min(keep, len(held)); i < len(held); i++ {
		if err := held[i].Release(); err != nil {
			k.log.Warn("constants are not given back", "error", err)
		}
	}
	k.held[detector] = held[:min(keep, len(held))]
}

// Chosen implements Constants: drp calib use leaves the choice beside the socket.
func (k *constants) Chosen(detector string) string {
	if len(k.held[detector]) == 0 {
		return ""
	}
	id, err := publish.TakeChoice(k.socket(detector))
	if err != nil {
		k.log.Warn("what was chosen by drp calib use cannot be read", "error", err)
		return ""
	}
	return id
}

// socket is where the constants of a detector are announced.
func (k *constants) socket(detector string) string {
	return filepath.Join(k.cfg.Folder, publish.SocketName(k.cfg.Partition, detector, k.held[detector][0].Serials))
}

// farewell is how long those that listen get for the last announcement.
const farewell = time.Second

// Close implements Constants.
func (k *constants) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := k.publisher.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil // somebody who listens is slow: that is his loss
	}
	for detector, held := range k.held {
		if k.alone && len(held) > 0 {
			err = errors.Join(err, publish.Forget(k.socket(detector)))
		}
		k.release(detector, 0)
	}
	return err
}

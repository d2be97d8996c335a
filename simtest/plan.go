package simtest

import (
	"math/rand/v2"
	"syscall"
	"time"

	"drp/drp"
	"drp/internal/memdisk"
	"drp/source"
)

// plan is what a seed decides before the run: its size, its settings, and how much of each trouble there is. Chances are
// in 1 of 10,000.
type plan struct {
	camera       source.SimParams
	workers      int
	slots        int
	drop         bool
	prescale     int64
	deadline     time.Duration
	spares       int
	retries      int
	maxRestarts  int
	recycleAfter int64
	crc          bool
	chunkBytes   int64
	interruptAt  time.Duration
	suspendAt    time.Duration // the machine sleeps
	suspendFor   time.Duration

	maxQuarantine float64 // percentage at which the run ends

	service   time.Duration // of an event in a child, on average
	interval  time.Duration // between events; 0 is as fast as possible
	bursts    int64         // chance that the source stalls for a while and then catches up
	corrupt   int64         // chance that an event makes no sense
	poison    int64         // chance that an event kills every child
	sticky    int64         // chance that an event hangs every child
	deadly    int64         // chance that a child dies at a step
	hangs     int64         // chance that a child hangs at a step
	nonsense  int64         // chance that a child says what it must not
	badStarts int64         // chance that a child does not start
	failures  int64         // chance that a script raises
	verify    bool
	flips     int64 // chance that a bit of an event changes in memory while a child has it

	calibrated  bool          // there is a store of constants
	storeTime   time.Duration // that it is given
	looks       int64         // chance that a script asks for corrected pixels
	slowStore   int64         // chance that the store takes long
	badStore    int64         // chance that it gives nothing, or something wrong
	noConstants int64         // chance that it has none for a run
	choices     int64         // chance that somebody chooses others at a step
	forgets     int64         // chance that a child holds other constants than it was told of
	searches    bool          // for hits
	hits        drp.Hits
	gpu         gpuPlan
	trigger     triggerPlan
	remote      remotePlan
	second      secondPlan
	settings    settingsPlan
	reload      reloadPlan
	monitors    monitorsPlan

	diskFull   int64 // chance that the disk is full for a while from a write on
	diskBreaks int64 // chance of an error of input and output
	diskSlow   int64 // chance that a write takes long
	diskShort  int64 // chance of a short write
}

// troubles are switched on two in five at a time, so that each is seen alone and with others.
func draw(rng *rand.Rand) plan {
	maybe := func(most int64) int64 {
		if rng.IntN(5) > 1 {
			return 0
		}
		return 1 + rng.Int64N(most)
	}
	p := plan{workers: 1 + rng.IntN(4), slots: 4 + rng.IntN(40), retries: rng.IntN(3), spares: rng.IntN(3),
		deadline: time.Duration(1+rng.IntN(5)) * time.Second, service: time.Duration(1+rng.IntN(2000)) * time.Microsecond,
		crc: rng.IntN(4) == 0, drop: rng.IntN(6) == 0}
	p.camera = source.DefaultSim()
	p.camera.Seed, p.camera.Segments, p.camera.Rows, p.camera.Cols = rng.Uint64(), 1, 4, 4+rng.IntN(8)
	p.camera.Bank, p.camera.Noise = 1+rng.IntN(5), 3
	p.camera.Events, p.camera.Steps, p.camera.Runs = 5+rng.IntN(80), 1+rng.IntN(3), 1+rng.IntN(2)
	p.camera.Slow = rng.IntN(3) * (3 + rng.IntN(20))
	if rng.IntN(2) == 0 {
		p.interval = time.Duration(rng.Int64N(2000)) * time.Microsecond
	}
	if rng.IntN(3) == 0 {
		p.prescale = 2 + rng.Int64N(9)
	}
	if rng.IntN(3) == 0 {
		p.maxRestarts = 2 + rng.IntN(20)
	}
	if rng.IntN(4) == 0 {
		p.recycleAfter = 10 + rng.Int64N(60)
	}
	if rng.IntN(3) == 0 {
		p.chunkBytes = 2000 + rng.Int64N(20000)
	}
	if rng.IntN(6) == 0 {
		p.interruptAt = time.Duration(1+rng.Int64N(300)) * time.Millisecond
	}
	if rng.IntN(6) == 0 {
		p.suspendAt = time.Duration(1+rng.Int64N(300)) * time.Millisecond
		p.suspendFor = time.Duration(1+rng.IntN(100)) * time.Second
	}
	p.bursts, p.corrupt, p.failures = maybe(300), maybe(300), maybe(1500)
	p.poison, p.sticky = maybe(200), maybe(60)
	p.deadly, p.hangs, p.nonsense, p.badStarts = maybe(200), maybe(40), maybe(100), maybe(1500)
	p.diskFull, p.diskBreaks, p.diskSlow, p.diskShort = maybe(400), maybe(100), maybe(800), maybe(300)
	if p.calibrated = rng.IntN(2) == 0; p.calibrated {
		p.storeTime = time.Duration(1+rng.IntN(20)) * time.Second
		p.looks, p.slowStore, p.badStore = maybe(10000), maybe(3000), maybe(2000)
		p.noConstants, p.choices = maybe(2000), maybe(5000)
		if rng.IntN(8) == 0 {
			p.forgets = maybe(1000)
		}
	}
	if p.verify = rng.IntN(3) == 0; p.verify {
		p.flips = maybe(400)
	}
	if rng.IntN(15) == 0 {
		p.poison, p.maxQuarantine = 1000+rng.Int64N(9000), float64(5+rng.IntN(20))
	}
	p.drawHits(rng)
	p.drawGPU(rng)
	p.drawTrigger(rng)
	p.drawSecond(rng)
	p.drawMonitors(rng)
	return p
}

func (p *plan) diskTrouble() bool { return p.diskFull+p.diskBreaks+p.diskShort > 0 }

// The fates of events, which children and checker compute from the number alone.
type fate int

const (
	fine fate = iota
	rejects
	raises
	tooLarge
	garbage // a result that makes no sense
	poisons
	sticks
)

// fateOf is what a script does with an event. It depends on nothing but the event, as a script's does.
func (p *plan) fateOf(number int64) fate {
	rng := rand.New(rand.NewPCG(p.camera.Seed, uint64(number)))
	if rng.Int64N(10000) < p.poison {
		return poisons
	}
	if rng.Int64N(10000) < p.sticky {
		return sticks
	}
	if rng.Int64N(10000) < p.failures {
		return []fate{raises, tooLarge, garbage}[rng.IntN(3)]
	}
	if rng.IntN(8) == 0 {
		return rejects
	}
	return fine
}

// happens is chance at work.
func (l *lab) happens(chance int64) bool { return chance > 0 && l.world.Chance(10000) < chance }

// soon is a random time with this mean.
func (l *lab) soon(mean time.Duration) time.Duration {
	return time.Duration(l.world.Chance(int64(2*mean) + 1))
}

// diskFault is the disk's share of the trouble.
func (l *lab) diskFault(op memdisk.Op, path string, bytes int) (allowed int, err error) {
	p := &l.plan
	if l.happens(p.diskSlow) {
		d := l.soon(500 * time.Millisecond)
		l.trace("disk: %v of %s takes %v", op, path, d)
		l.world.Sleep(d)
	}
	if l.world.Now() < l.fullUntil && (op == memdisk.Write || op == memdisk.Create) {
		return 0, syscall.ENOSPC
	}
	switch {
	case op == memdisk.Write && l.happens(p.diskFull):
		l.fullUntil = l.world.Now() + l.soon(4*time.Second)
		l.trace("disk: full until %v", l.fullUntil)
		return int(l.world.Chance(int64(bytes) + 1)), syscall.ENOSPC
	case op != memdisk.Close && l.happens(p.diskBreaks):
		l.trace("disk: error at %v of %s", op, path)
		return int(l.world.Chance(int64(bytes) + 1)), syscall.EIO
	case op == memdisk.Write && l.happens(p.diskShort):
		return int(l.world.Chance(int64(bytes) + 1)), nil
	}
	return bytes, nil
}

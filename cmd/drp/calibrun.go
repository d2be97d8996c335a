package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/spf13/pflag"

	"drp/drp"
)

// calibFlags are those of a run that have to do with constants.
type calibFlags struct {
	store string
	allow []string
}

// noStore says that a run shall have no constants even where there is a store.
const noStore = "none"

func (f *calibFlags) add(fl *pflag.FlagSet, c *drp.Calibration) {
	fl.StringVar(&f.store, "calib", "", "`folder or address` of the store of constants (default: a simulated camera's own, "+
		"or drp/calib in the folder for your data, if it is there; none: do without)")
	fl.DurationVar(&c.Deadline, "calib-deadline", 0, "what the store may take to give the constants of a run (default 20s)")
	fl.BoolVar(&c.Strict, "calib-strict", false, "end the run when constants cannot be used, instead of going on with those before")
	fl.StringVar(&c.Listen, "calib-listen", "", "`HOST:PORT` where other machines can get the constants (default: nowhere)")
	fl.StringSliceVar(&f.allow, "calib-allow", nil, "`networks` that may connect there: 10.0.3.0/24 (default: this machine)")
}

// openFor opens the store for a run. A simulated camera is the store of its own constants, where no other is named.
func (f *calibFlags) openFor(cfg *drp.Config) (closingStore, error) {
	if f.store == "" && len(cfg.Sources) == 1 && isSimulated(cfg.Sources[0]) {
		own, err := drp.NewSimulated(cfg.Sources[0])
		switch {
		case err == nil && (own.Known() || cfg.Hits != nil): // which says then why there are none
			f.store = cfg.Sources[0]
		case err == nil:
			f.store = noStore
		default: // drp.New says what is wrong with a source
		}
	}
	return f.open(&cfg.Calibration)
}

// listen checks where the constants of a run go beside its own processes.
func (f *calibFlags) listen(c *drp.Calibration) error {
	if len(f.allow) > 0 && c.Listen == "" {
		return errors.New("--calib-allow says who may connect, and nothing listens: give --calib-listen HOST:PORT, too")
	}
	if c.Listen != "" {
		if err := checkHostPort("--calib-listen", c.Listen); err != nil {
			return err
		}
	}
	if c.Deadline < 0 {
		return fmt.Errorf("--calib-deadline %v: give a time above 0, as 20s", c.Deadline)
	}
	var err error
	c.Allow, err = networks("--calib-allow", f.allow)
	return err
}

// networks reads who may connect.
func networks(flag string, texts []string) (all []netip.Prefix, err error) {
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%s %q: give networks as 10.0.3.0/24 or fd00::/8", flag, text)
		}
		all = append(all, network)
	}
	return all, nil
}

// open opens the store that a run takes its constants from; nil is none.
func (f *calibFlags) open(c *drp.Calibration) (closingStore, error) {
	if err := f.listen(c); err != nil {
		return nil, err
	}
	if f.store == noStore {
		return nil, nil
	}
	place := storeFlag{name: f.store}
	if path, named, err := place.place(); err != nil || !named {
		if err != nil {
			return nil, nil // no home folder, and so no store in it
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
	}
	s, err := place.open(false)
	if err != nil {
		return nil, err
	}
	c.Store = s
	return s, nil
}

// checkHostPort refuses what cannot be an address of TCP, before anybody waits for an answer there.
func checkHostPort(flag, text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%s %q: give HOST:PORT, as daq:8766, with a port from 0 to 65535", flag, text)
	}
	return nil
}

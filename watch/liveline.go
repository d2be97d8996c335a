package watch

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"drp/internal/settings"
)

// Live takes settings as liveline sends them: a datagram is one line of options as on a command line, without quoting, of 1024
// bytes at the most. Nobody gets an answer. All that is known of a line holds, or nothing; options that are not known are of
// other programs.
type Live struct {
	socket  *net.UDPConn
	steered func() Steered
	log     *slog.Logger
	reading sync.WaitGroup
	done    chan struct{}

	types                   map[string]string // of the settings by name, as they were asked for at a moment
	asked                   time.Time
	lines, unknown, refused int64 // only the reader uses all of these until it has ended
	said                    time.Time
}

const (
	lineBytes = 1024
	// So many lines are read at a time, and then it is rested, for so many times as long as they took: a flood takes no processor
	// away. What nobody reads the kernel drops. They are more than it usually keeps, so that after a rest none is older than that.
	linesAtOnce = 320
	lineTime    = 5 * time.Microsecond // to read one, at the most
	liveShare   = 300
	liveRest    = 10 * time.Millisecond // at the least
	liveMost    = 500 * time.Millisecond
	liveQuiet   = time.Second // between two lines in the log
)

// ListenLive begins to listen at an address; without a host it is one of this machine alone.
func ListenLive(address string, steered func() Steered, log *slog.Logger) (*Live, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("watch: %q: give HOST:PORT, as 127.0.0.1:15001", address)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	at, err := net.ResolveUDPAddr("udp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	socket, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	l := &Live{socket: socket, steered: steered, log: log, done: make(chan struct{})}
	if !at.IP.IsLoopback() {
		log.Warn(fmt.Sprintf("liveline: other machines can send settings to %v, and nobody is asked who he is: use it within a network "+
			"that you trust, or 127.0.0.1", l.Address()))
	}
	l.reading.Go(l.read)
	return l, nil
}

// Address is where it listens.
func (l *Live) Address() string { return l.socket.LocalAddr().String() }

// Close ends it.
func (l *Live) Close() {
	close(l.done)
	_ = l.socket.Close()
	l.reading.Wait()
	if l.lines > 0 {
		l.log.Info(fmt.Sprintf("liveline: %d lines, %d of them refused; %d options of other programs", l.lines, l.refused, l.unknown))
	}
}

func (l *Live) read() {
	room := make([]byte, lineBytes+1)
	for {
		took := time.Duration(0)
		for range linesAtOnce {
			n, from, err := l.socket.ReadFromUDPAddrPort(room)
			if err != nil {
				if errors.Is(err, net.ErrClosed) {
					return
				}
				break // as of a packet that was refused somewhere
			}
			began := time.Now()
			l.lines++
			if err := l.take(room[:n], from.Addr()); err != nil {
				l.refused++
				l.say(err, from.Addr())
			}
			took += time.Since(began) + lineTime
		}
		select {
		case <-l.done:
			return
		case <-time.After(restAfter(took)):
		}
	}
}

// restAfter is for how long nothing is read after lines that took so long.
func restAfter(took time.Duration) time.Duration { return min(max(liveRest, liveShare*took), liveMost) }

// take sets what a line says.
func (l *Live) take(line []byte, from netip.Addr) error {
	if len(line) > lineBytes {
		return fmt.Errorf("a line is longer than %d bytes", lineBytes)
	}
	s := l.steered()
	if s == nil {
		return errors.New("the run has not begun")
	}
	if time.Since(l.asked) > liveRest {
		l.asked, l.types = time.Now(), map[string]string{}
		for _, one := range s.Settings().Settings {
			l.types[one.Name] = one.Type
		}
	}
	values, unknown := LiveOptions(string(line), l.types)
	l.unknown += int64(unknown)
	if len(values) == 0 {
		return nil
	}
	_, err := s.Set(values, "udp "+from.Unmap().String())
	return err
}

// say puts what was refused into the log, not more than once in a while.
func (l *Live) say(err error, from netip.Addr) {
	if time.Since(l.said) < liveQuiet {
		return
	}
	l.said = time.Now()
	l.log.Warn(fmt.Sprintf("liveline: refused (%d of %d lines so far), from %v: %v", l.refused, l.lines, from.Unmap(), err))
}

// LiveOptions reads a line of --NAME VALUE, --NAME=VALUE, and --NAME for one that is true, and gives the values of those that types
// knows. The last word on a name counts. It tells how many options it does not know.
func LiveOptions(line string, types map[string]string) (values map[string]any, unknown int) {
	values = map[string]any{}
	words := strings.FieldsFunc(line, func(r rune) bool { return r <= ' ' })
	for i := 0; i < len(words); i++ {
		name, is := strings.CutPrefix(words[i], "--")
		if !is {
			continue // a value of an option that is not known, or a word without one
		}
		name, value, given := strings.Cut(name, "=")
		kind, known := types[name]
		if !given && i+1 < len(words) && !strings.HasPrefix(words[i+1], "--") {
			value, given = words[i+1], true
			i++
		}
		switch {
		case !known:
			unknown++
		case !given && kind == settings.Bool:
			values[name] = true
		default:
			values[name] = value
		}
	}
	return values, unknown
}

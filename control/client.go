package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"drp/internal/wire"
)

// Client speaks to a Handler.
type Client struct {
	// Patience is how long run control may take to say how things are. Without such an answer nothing is waited for.
	Patience time.Duration

	at    string // as the user wrote it
	base  string
	token string
	http  *http.Client
}

// NewClient makes a client for http://HOST:PORT, or ipc:///PATH of a socket of this user. Nothing is connected yet.
func NewClient(at, token string) (*Client, error) {
	c := &Client{at: at, token: token, Patience: 10 * time.Second}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	if path, ok := strings.CutPrefix(at, "ipc://"); ok && filepath.IsAbs(path) {
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return wire.Endpoint{Path: path}.Dial(ctx)
		}
	} else {
		base, err := url.Parse(at)
		if err != nil || base.Scheme != "http" || base.Host == "" || base.RawQuery != "" || strings.Trim(base.Path, "/") != "" {
			return nil, fmt.Errorf("%q is no address of run control: give http://HOST:PORT, or ipc:// and the whole path of a socket", clip(at))
		}
		c.base = "http://" + base.Host
	}
	c.http = &http.Client{Transport: transport}
	return c, nil
}

// String is the address.
func (c *Client) String() string { return c.at }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask sends a request and reads the answer. What run control says is wrong is a *Problem.
func (c *Client) ask(ctx context.Context, method, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	a, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("run control at %s: %w", c.at, plain(err))
	}
	defer func() { _ = a.Body.Close() }()
	const largest = 1 << 20
	if text, err = io.ReadAll(io.LimitReader(a.Body, largest)); err != nil {
		return fmt.Errorf("run control at %s: %w", c.at, err)
	}
	if a.StatusCode != http.StatusOK {
		p := &Problem{}
		if json.Unmarshal(text, p) != nil || p.Message == "" {
			return fmt.Errorf("run control at %s: it answers %s, and is no run control of drp", c.at, a.Status)
		}
		return p
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("run control at %s: %w", c.at, err)
	}
	return nil
}

// plain leaves out the address, which is named already.
func plain(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // it is the outermost
		return u.Err
	}
	return err
}

// Status asks how things are.
func (c *Client) Status(ctx context.Context) (s Status, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Patience, &muteError{c.at, c.Patience})
	defer cancel()
	return s, because(ctx, c.ask(ctx, http.MethodGet, "/v1/status", nil, &s))
}

// muteError says that run control does not even say how things are.
type muteError struct {
	at       string
	patience time.Duration
}

func (e *muteError) Error() string {
	return fmt.Sprintf("run control at %s has not answered within %v: its process is stopped, or its machine has too much to do", e.at,
		e.patience)
}

// because tells that run control is mute, where that is why a context has ended.
func because(ctx context.Context, err error) error {
	if mute := (*muteError)(nil); err != nil && errors.As(context.Cause(ctx), &mute) {
		return mute
	}
	return err
}

// command asks for what may take its time. It gives up when run control no longer says meanwhile how things are.
func (c *Client) command(ctx context.Context, method, path string, body any) (s Status, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for sleep(ctx, heartbeat); ctx.Err() == nil; sleep(ctx, heartbeat) {
			if _, err := c.Status(ctx); errors.As(err, new(*muteError)) {
				stop(err)
			}
		}
	})
	err = because(ctx, c.ask(ctx, method, path, body, &s))
	stop(nil)
	watching.Wait()
	return s, err
}

// Do asks for a transition, and Reach for all that lead to a state.
func (c *Client) Do(ctx context.Context, q Wish) (Status, error) {
	path := "/v1/transition"
	if q.State != nil {
		path = "/v1/state"
	}
	return c.command(ctx, http.MethodPost, path, q)
}

// Drop lets a process go.
func (c *Client) Drop(ctx context.Context, name string) (Status, error) {
	return c.command(ctx, http.MethodDelete, "/v1/processes/"+url.PathEscape(name), nil)
}

// Shutdown ends all processes, and run control.
func (c *Client) Shutdown(ctx context.Context, deadline string) (Status, error) {
	return c.command(ctx, http.MethodPost, "/v1/shutdown", Wish{Deadline: deadline})
}

func (c *Client) register(ctx context.Context, who Process) (place Place, err error) {
	return place, c.ask(ctx, http.MethodPost, "/v1/processes", who, &place)
}

func (c *Client) order(ctx context.Context, name, session string, after uint64) (a Assignment, err error) {
	q := url.Values{"session": {session}, "after": {strconv.FormatUint(after, 10)}}
	return a, c.ask(ctx, http.MethodGet, "/v1/processes/"+url.PathEscape(name)+"/order?"+q.Encode(), nil, &a)
}

func (c *Client) settings(ctx context.Context, name, session string) (s Settings, err error) {
	q := url.Values{"session": {session}}
	return s, c.ask(ctx, http.MethodGet, "/v1/processes/"+url.PathEscape(name)+"/settings?"+q.Encode(), nil, &s)
}

func (c *Client) report(ctx context.Context, name string, r Report) error {
	return c.ask(ctx, http.MethodPost, "/v1/processes/"+url.PathEscape(name)+"/report", r, &struct{}{})
}

package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"drp/internal/wire"
)

// Client asks a Server.
type Client struct {
	name  string
	base  string
	token string
	http  *http.Client
}

// answerBytes is more than any status has.
const answerBytes = 64 << 20

// DialSocket makes a client of the Server at a socket.
func DialSocket(path string) *Client {
	return &Client{name: path, base: "http://localhost", http: &http.Client{Timeout: answerTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return wire.DialPrivate(ctx, path) },
	}}}
}

// DialURL makes a client of the Server at an address as it was printed, with the token.
func DialURL(address string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("watch: %q is no address as drp prints it: http://HOST:PORT/?token=…", address)
	}
	c := &Client{name: u.Host, base: "http://" + u.Host, token: u.Query().Get("token"), http: &http.Client{Timeout: answerTime,
		Transport: &http.Transport{Proxy: nil, DialContext: (&net.Dialer{Timeout: headerTime}).DialContext}}}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the token is for nobody else
	return c, nil
}

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var s Status
	text, err := c.Get(ctx, "/v1/status")
	if err != nil {
		return nil, err
	}
	if err = json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("watch: ask %s: %w", c.name, err)
	}
	return &s, nil
}

// Get reads a page.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	return c.ask(ctx, http.MethodGet, path, http.NoBody)
}

// Post changes something: what is sent goes as JSON. What the server says against it is the error, a *RefusedError.
func (c *Client) Post(ctx context.Context, path string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("watch: %w", err)
	}
	return c.ask(ctx, http.MethodPost, path, bytes.NewReader(body))
}

func (c *Client) ask(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	text, err := c.exchange(ctx, method, path, body)
	if err != nil && !errors.As(err, new(*RefusedError)) {
		err = c.trouble(err)
	}
	return text, err
}

// trouble says why there is no answer, in other words than those of the library.
func (c *Client) trouble(err error) error {
	errno, name, wait := syscall.Errno(0), (*net.DNSError)(nil), net.Error(nil)
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("watch: no machine is known by the name %s", name.Name)
	case errors.As(err, &errno):
		return fmt.Errorf("watch: nobody answers at %s: %w", c.name, errno)
	case errors.As(err, &wait) && wait.Timeout():
		return fmt.Errorf("watch: %s has not answered within %v", c.name, answerTime)
	case strings.Contains(err.Error(), "malformed HTTP"), strings.Contains(err.Error(), "readLoopPeekFail"): // the second before we had asked
		return fmt.Errorf("watch: what answers at %s is no drp", c.name)
	}
	return fmt.Errorf("watch: ask %s: %w", c.name, err)
}

// RefusedError is why a server did not do what it was asked to.
type RefusedError struct {
	Code int // as HTTP has it
	Why  string
}

// Error implements error.
func (e *RefusedError) Error() string { return e.Why }

func (c *Client) exchange(ctx context.Context, method, path string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	got, err := c.http.Do(r)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, err
	}
	defer func() { _ = got.Body.Close() }()
	if kind, _, _ := mime.ParseMediaType(got.Header.Get("Content-Type")); kind == "text/html" {
		return nil, fmt.Errorf("it answers %s with a page, and is no drp", got.Status)
	}
	text, err := io.ReadAll(io.LimitReader(got.Body, answerBytes))
	if err == nil && got.StatusCode/100 != 2 {
		var refused Refused
		if json.Unmarshal(text, &refused) == nil && refused.Error != "" {
			return nil, &RefusedError{Code: got.StatusCode, Why: refused.Error}
		}
		said, _, _ := strings.Cut(string(text[:min(len(text), 300)]), "\n")
		err = fmt.Errorf("%s: %q", got.Status, said)
	}
	return text, err
}

// Close ends the connection.
func (c *Client) Close() { c.http.CloseIdleConnections() }

package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"drp/calib"
)

// maxListBytes bounds an answer that is no set.
const maxListBytes = 64 << 20

// Remote is a store that another process serves with Handler.
type Remote struct {
	base   *url.URL
	token  string
	client *http.Client
}

// Dial makes a client of the store at an address like "http://node:8765". It does not ask it anything yet. The token is
// for Put only and may be empty.
func Dial(address, token string) (*Remote, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" {
		return nil, fmt.Errorf("calib: %q is no address of a store: it looks like http://node:8765", address)
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 2 * stall, // one may wait for others
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true,
	}
	elsewhere := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Remote{base: base, token: token, client: &http.Client{Transport: transport, CheckRedirect: elsewhere}}, nil
}

// String is where the store is.
func (r *Remote) String() string { return r.base.Redacted() }

// Close ends idle connections.
func (r *Remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// Get is that of calib.Store: the set comes cut down already.
func (r *Remote) Get(ctx context.Context, q calib.Query) (*calib.Set, error) {
	values := url.Values{"detector": {q.Detector}, "run": {strconv.Itoa(q.Run)}}
	if q.Serials != nil {
		values.Set("serials", calib.Serial(q.Serials))
	}
	return r.fetch(ctx, "/v1/constants?"+values.Encode())
}

// Load is that of calib.Store.
func (r *Remote) Load(ctx context.Context, id string) (*calib.Set, error) {
	return r.fetch(ctx, "/v1/sets/"+url.PathEscape(id))
}

// List is that of calib.Store.
func (r *Remote) List(ctx context.Context, detector string) (entries []calib.Entry, err error) {
	err = r.do(ctx, request{path: "/v1/sets?" + url.Values{"detector": {detector}}.Encode()}, func(resp *http.Response) error {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxListBytes))
		if err != nil {
			return err
		}
		var all []listed
		if err := json.Unmarshal(text, &all); err != nil {
			return fmt.Errorf("its list makes no sense: %w", err)
		}
		for _, l := range all {
			if l.Document == nil {
				return errors.New("its list makes no sense: a set without document")
			}
			entries = append(entries, calib.Entry{ID: l.ID, Set: *l.Document.Set()})
		}
		return nil
	})
	return entries, err
}

// Put is that of calib.Store.
func (r *Remote) Put(ctx context.Context, s *calib.Set) (id string, err error) {
	given := *s // which stays as it is
	if given.Provenance.When.IsZero() {
		given.Provenance.When = time.Now().UTC().Truncate(time.Second)
	}
	d, err := prepare(&given)
	if err != nil {
		return "", err
	}
	reader, writer := io.Pipe()
	m := multipart.NewWriter(writer)
	go func() { writer.CloseWithError(writeSet(m, d, &given)) }()
	defer func() { _ = reader.Close() }() // ends the goroutine
	err = r.do(ctx, request{path: "/v1/sets", body: reader, kind: m.FormDataContentType()}, func(resp *http.Response) error {
		var made struct{ ID string }
		if err := json.NewDecoder(io.LimitReader(resp.Body, maxDocumentBytes)).Decode(&made); err != nil || made.ID == "" {
			return fmt.Errorf("its answer gives no id: %w", err)
		}
		id = made.ID
		return nil
	})
	return id, err
}

func (r *Remote) fetch(ctx context.Context, path string) (s *calib.Set, err error) {
	err = r.do(ctx, request{path: path}, func(resp *http.Response) error {
		kind, values, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
		if err != nil || kind != "multipart/form-data" || values["boundary"] == "" {
			return fmt.Errorf("it answers with %.100q: is it a store?", resp.Header.Get("Content-Type"))
		}
		if s, err = readSet(multipart.NewReader(resp.Body, values["boundary"])); err == nil {
			s.ID = resp.Header.Get(idHeader)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

type request struct {
	path string
	body io.Reader // makes it a POST
	kind string
}

// do asks the store, and reads the answer as long as something comes.
func (r *Remote) do(ctx context.Context, q request, read func(*http.Response) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
		const patience = 3 * stall // also for the answer, once all was sent
		sending := time.AfterFunc(patience, func() { cancel(fmt.Errorf("it took nothing for %v", patience)) })
		defer sending.Stop()
		q.body = &watched{io.NopCloser(q.body), sending, patience}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base.JoinPath("/").String()+q.path[1:], q.body)
	if err != nil {
		return fmt.Errorf("calib: ask the store %s: %w", r, err)
	}
	if q.body != nil {
		req.Header.Set("Content-Type", q.kind)
		if r.token != "" {
			req.Header.Set("Authorization", "Bearer "+r.token)
		}
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if why := context.Cause(ctx); why != nil {
			err = why
		}
		return fmt.Errorf("calib: ask the store %s: %w", r, withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	watch := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %v", stall)) })
	defer watch.Stop()
	resp.Body = &watched{resp.Body, watch, stall}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return r.problem(resp)
	}
	err = read(resp)
	if why := context.Cause(ctx); err != nil && why != nil {
		err = why
	}
	if known := (*calib.RefusedError)(nil); err == nil || errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("calib: ask the store %s: %w", r, err)
}

// withoutURL takes off what net/http says of the request, which the caller says better.
func withoutURL(err error) error {
	if e := (*url.Error)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// problem makes the error again that the store had.
func (r *Remote) problem(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var p problem
	if json.Unmarshal(text, &p) != nil || p.Error == "" {
		return fmt.Errorf("calib: the store %s answers %s: %.200q", r, resp.Status, bytes.TrimSpace(text))
	}
	switch p.Error {
	case "none":
		return &noneError{p.Message}
	case "refused":
		return &calib.RefusedError{Detector: p.Detector, Reason: p.Reason}
	}
	return errors.New(p.Message)
}

// noneError is a calib.ErrNone in the words of another process.
type noneError struct{ message string }

func (e *noneError) Error() string { return e.message }

func (e *noneError) Unwrap() error { return calib.ErrNone }

// watched puts off the end of a transfer as long as something comes.
type watched struct {
	io.ReadCloser
	watch    *time.Timer
	patience time.Duration
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if n > 0 {
		w.watch.Reset(w.patience)
	}
	return n, err
}

package store

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"drp/calib"
)

const (
	// transfers is how many sets are in memory at the same time; who asks for more waits.
	transfers = 4
	// stall is how long a peer may take for the next piece of a set.
	stall = 30 * time.Second
	// maxSetBytes bounds what is read of one that is put.
	maxSetBytes = 5*maxArrayBytes + maxDocumentBytes
)

// handler serves a store:
//
//	GET  /v1/sets?detector=NAME                           the list, JSON
//	GET  /v1/sets/ID                                      a set, multipart
//	GET  /v1/constants?detector=NAME&run=N&serials=A.B    what is valid for the run, cut down to the segments, multipart
//	POST /v1/sets                                         a set, multipart, with the token; the answer is its id
type handler struct {
	store    calib.Store
	token    string
	underway chan struct{}
}

// idHeader says which set an answer is or was cut out of.
const idHeader = "Drp-Set"

// Handler serves a store over HTTP. Putting needs the token as "Authorization: Bearer TOKEN"; without a token nothing can
// be put.
func Handler(s calib.Store, token string) http.Handler {
	h := &handler{store: s, token: token, underway: make(chan struct{}, transfers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/sets", h.list)
	mux.HandleFunc("GET /v1/sets/{id}", h.set)
	mux.HandleFunc("GET /v1/constants", h.constants)
	mux.HandleFunc("POST /v1/sets", h.put)
	return mux
}

// NewServer is an http.Server for a Handler, with the deadlines that one on a network needs.
func NewServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10}
}

// problem is an error as it travels.
type problem struct {
	Error    string `json:"error"` // none, refused, denied, busy, wrong, failed
	Message  string `json:"message"`
	Detector string `json:"detector,omitempty"` // of refused, as is the reason
	Reason   string `json:"reason,omitempty"`
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the peer has gone if this fails
}

func fail(w http.ResponseWriter, err error) {
	var r *calib.RefusedError
	switch {
	case errors.Is(err, calib.ErrNone):
		answer(w, http.StatusNotFound, problem{Error: "none", Message: err.Error()})
	case errors.As(err, &r):
		answer(w, http.StatusUnprocessableEntity, problem{Error: "refused", Message: err.Error(), Detector: r.Detector,
			Reason: r.Reason})
	default:
		answer(w, http.StatusInternalServerError, problem{Error: "failed", Message: err.Error()})
	}
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	entries, err := h.store.List(r.Context(), r.FormValue("detector"))
	if err != nil {
		fail(w, err)
		return
	}
	all := make([]listed, len(entries))
	for i := range entries {
		all[i] = listed{ID: entries[i].ID, Document: DocumentOf(&entries[i].Set)}
	}
	answer(w, http.StatusOK, all)
}

// enter waits for room for one set more.
func (h *handler) enter(w http.ResponseWriter, r *http.Request) bool {
	patience := time.NewTimer(stall)
	defer patience.Stop()
	select {
	case h.underway <- struct{}{}:
		return true
	case <-r.Context().Done():
	case <-patience.C:
		answer(w, http.StatusServiceUnavailable, problem{Error: "busy",
			Message: "calib: the store is busy with others: try again"})
	}
	return false
}

func (h *handler) leave() { <-h.underway }

func (h *handler) set(w http.ResponseWriter, r *http.Request) {
	if !h.enter(w, r) {
		return
	}
	defer h.leave()
	s, err := h.store.Load(r.Context(), r.PathValue("id"))
	if err != nil {
		fail(w, err)
		return
	}
	send(w, s)
}

func (h *handler) constants(w http.ResponseWriter, r *http.Request) {
	run, err := strconv.Atoi(r.FormValue("run"))
	if err != nil || r.FormValue("detector") == "" {
		answer(w, http.StatusBadRequest, problem{Error: "wrong",
			Message: fmt.Sprintf("calib: give detector=NAME and run=NUMBER, not %.200q", r.URL.RawQuery)})
		return
	}
	if !h.enter(w, r) {
		return
	}
	defer h.leave()
	q := calib.Query{Detector: r.FormValue("detector"), Run: run}
	if serials := r.FormValue("serials"); serials != "" {
		q.Serials = strings.Split(serials, ".")
	}
	s, err := h.store.Get(r.Context(), q)
	if err != nil {
		fail(w, err)
		return
	}
	send(w, s)
}

// send answers with a set. When it breaks off, the end that is missing tells the peer.
func send(w http.ResponseWriter, s *calib.Set) {
	d, err := prepare(s)
	if err != nil {
		fail(w, err)
		return
	}
	out := bufio.NewWriterSize(&patient{w, http.NewResponseController(w)}, 1<<20)
	w.Header().Set(idHeader, s.ID)
	m := multipart.NewWriter(out)
	w.Header().Set("Content-Type", m.FormDataContentType())
	if err := errors.Join(writeSet(m, d, s), out.Flush()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (h *handler) put(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	given := sha256.Sum256([]byte(token))
	wanted := sha256.Sum256([]byte(h.token))
	switch {
	case h.token == "":
		answer(w, http.StatusForbidden, problem{Error: "denied", Message: "calib: this store is served for reading only"})
		return
	case token == "":
		answer(w, http.StatusUnauthorized, problem{Error: "denied",
			Message: "calib: putting into this store needs its token: give it in $DRP_CALIB_TOKEN"})
		return
	case subtle.ConstantTimeCompare(given[:], wanted[:]) != 1:
		answer(w, http.StatusUnauthorized, problem{Error: "denied",
			Message: "calib: the token in $DRP_CALIB_TOKEN is not that of this store: give what is in the file of its --token-file"})
		return
	}
	if !h.enter(w, r) {
		return
	}
	defer h.leave()
	r.Body = http.MaxBytesReader(w, struct {
		io.Reader
		io.Closer
	}{&patientReader{r.Body, http.NewResponseController(w)}, r.Body}, maxSetBytes)
	m, err := r.MultipartReader()
	if err != nil {
		answer(w, http.StatusBadRequest, problem{Error: "wrong", Message: fmt.Sprintf("calib: send multipart/form-data: %v", err)})
		return
	}
	s, err := readSet(m)
	if err != nil {
		fail(w, err)
		return
	}
	id, err := h.store.Put(r.Context(), s)
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]string{"id": id})
}

// patient gives the peer the same time for each piece.
type patient struct {
	w       io.Writer
	control *http.ResponseController
}

func (p *patient) Write(b []byte) (written int, err error) {
	const piece = 1 << 20
	for len(b) > 0 && err == nil {
		_ = p.control.SetWriteDeadline(time.Now().Add(stall)) // a recorder of a test has none
		var n int
		n, err = p.w.Write(b[:min(piece, len(b))])
		written, b = written+n, b[n:]
	}
	return written, err
}

type patientReader struct {
	r       io.Reader
	control *http.ResponseController
}

func (p *patientReader) Read(b []byte) (int, error) {
	_ = p.control.SetReadDeadline(time.Now().Add(stall))
	return p.r.Read(b)
}

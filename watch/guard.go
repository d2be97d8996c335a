package watch

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"drp/internal/pace"
)

// newToken makes a word that nobody guesses.
func newToken() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// guard lets in who knows a token: that for watching, or that for steering, which is good for both. It refuses names of this
// machine that are not its own, since a page of somebody else could have its name point here, and requests that a page of
// somebody else makes.
type guard struct {
	token   [sha256.Size]byte
	control [sha256.Size]byte
	cookie  string // its name
	names   []string
	next    http.Handler

	known, strange *pace.Pace
	thrift         *thrift
}

// Requests that are answered in a second, however many there are; the others wait. A few come at once.
const (
	knownPerSecond   = 50
	strangePerSecond = 10
	burst            = 20
)

func knownPace() *pace.Pace { return &pace.Pace{Few: burst, Gap: time.Second / knownPerSecond} }

// newGuard makes one for a server at an address.
func newGuard(token, control, address string, thrift *thrift, next http.Handler) *guard {
	host, port, _ := net.SplitHostPort(address)
	own, _ := os.Hostname()
	return &guard{token: sha256.Sum256([]byte(token)), control: sha256.Sum256([]byte(control)), cookie: "drp_" + port,
		names: []string{"localhost", host, own}, next: next, known: knownPace(), strange: &pace.Pace{Few: burst, Gap: time.Second / strangePerSecond}, thrift: thrift}
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	if code, why := g.judge(r); code != 0 {
		if !g.strange.Wait(r.Context()) {
			return
		}
		g.thrift.Pictures.Charge(perStranger)
		w.Header().Set("Connection", "close")
		http.Error(w, why, code)
		return
	}
	if !g.known.Wait(r.Context()) || !g.thrift.ask(r) {
		return
	}
	if given := r.URL.Query().Get("token"); given != "" { // it need not be in later addresses
		http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: given, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	who := "http " + host
	if r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") != "" {
		who = "page " + host
	}
	g.next.ServeHTTP(w, withRights(r, rights{who: who, control: g.knows(r) == mayControl}))
}

// harden asks browsers to load nothing from elsewhere, and to tell nobody of the address.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

const othersPage = "pages of others are not answered"

// judge gives 0, or with which code a request is refused, and why.
func (g *guard) judge(r *http.Request) (code int, why string) {
	known := g.knows(r)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "this address can only be read, and what can be changed takes POST"
	case !g.ours(r.Host):
		return http.StatusMisdirectedRequest, "this is no name of this machine: use its address, or localhost"
	case foreign(r):
		return http.StatusForbidden, othersPage
	case known == mayNothing:
		return http.StatusUnauthorized, "the token is missing or wrong: it is in the address that drp has printed; clients give it as " +
			"Authorization: Bearer TOKEN"
	case r.Method == http.MethodPost && known != mayControl:
		return http.StatusForbidden, "this token is for watching: who steers needs the other one that drp has printed"
	case path.Clean(r.URL.Path) != r.URL.Path:
		return http.StatusNotFound, "there is no such page"
	}
	return 0, ""
}

// ours tells whether a host, with or without port, is a name of this machine. Through a tunnel the port is another.
func (g *guard) ours(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true // nobody can make an address point elsewhere
	}
	for _, own := range g.names {
		if own != "" && strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}

// foreign tells whether a browser says that another page than one of ours asks.
func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || u.Scheme != "http" || !strings.EqualFold(u.Host, r.Host)
}

// What a token is good for.
const (
	mayNothing = iota
	mayWatch
	mayControl
)

// knows tells what the tokens of a request are good for. All ways to give one are compared in the same time.
func (g *guard) knows(r *http.Request) int {
	given := []string{strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), r.URL.Query().Get("token")}
	if c, err := r.Cookie(g.cookie); err == nil {
		given = append(given, c.Value)
	}
	watch, control := 0, 0
	for _, text := range given {
		sum := sha256.Sum256([]byte(text))
		watch |= subtle.ConstantTimeCompare(sum[:], g.token[:])
		control |= subtle.ConstantTimeCompare(sum[:], g.control[:])
	}
	return max(watch*mayWatch, control*mayControl)
}

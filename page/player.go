package page

import "net/http"

// Player replays.
type Player struct{}

// ReplayState is how far a replay is.
type ReplayState struct{}

// State says how far it is.
func (p *Player) State() ReplayState { return ReplayState{} }

func (p *Page) serveReplay(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "this is a run that goes on, and no replay", http.StatusNotFound)
}

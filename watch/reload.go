package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"drp/internal/wire"
)

// Reload asks for the scripts as their files are now.
type Reload struct {
	Now   bool `json:"now,omitempty" doc:"before the next event, and not only at the next step; absent is no"`
	Ends  bool `json:"ends,omitempty" doc:"the trial goes on to the end of the step, of the run and of the script; absent is no"`
	Check bool `json:"check,omitempty" doc:"only try them, and leave all as it is; absent is no"`
}

// Reloaded is what becomes of them.
type Reloaded struct {
	SHA256     string `json:"sha256" doc:"of the text of the user's script"`
	PostSHA256 string `json:"post_sha256,omitempty" doc:"of that of --post; absent where there is none"`
	State      string `json:"state" doc:"when they are used" enum:"in use,being taken by the workers,taken at the next step,taken before the next event,taken at the Configure that comes,only tried"`
	Tried      string `json:"tried,omitempty" doc:"up to where they were tried; absent where there was nothing to try"`
	Ends       bool   `json:"ends,omitempty" doc:"and then through the end of the step, of the run and of the script; absent is no"`
	Trigger    string `json:"trigger,omitempty" doc:"what becomes of the trigger script, in words; absent where none decides here"`
}

const reloadPath = "/v1/reload"

// PageOfReload lets who may steer ask for it, at its path. The answer takes as long as the scripts are tried.
func PageOfReload(reload func(ctx context.Context, asked Reload) (Reloaded, error)) (path string, page http.Handler) {
	return reloadPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := reloadOf(r.Body)
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Sprintf("this is no request for a reload: %v; send {} or {\"now\": true}", wire.JSONTrouble(err)))
			return
		}
		c := http.NewResponseController(w)
		_, _ = c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}) // how long it takes is for the run to say
		got, err := reload(r.Context(), asked)
		_ = c.SetWriteDeadline(time.Now().Add(answerTime))
		if err != nil {
			refuse(w, http.StatusUnprocessableEntity, err.Error())
			return
		}
		reply(w, got)
	})
}

func reloadOf(body io.Reader) (Reload, error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	var asked *Reload
	err := d.Decode(&asked)
	switch {
	case err != nil:
		return Reload{}, err
	case asked == nil:
		return Reload{}, errors.New("it is null")
	}
	if _, err := d.Token(); err != io.EOF {
		return Reload{}, errors.New("something follows it")
	}
	return *asked, nil
}

// Reload asks for it. What is against it is a *RefusedError.
func (c *Client) Reload(ctx context.Context, asked Reload) (*Reloaded, error) {
	patient := *c
	h := *c.http
	h.Timeout, patient.http = 0, &h
	text, err := patient.Post(ctx, reloadPath, asked)
	if err != nil {
		return nil, err
	}
	var got Reloaded
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("watch: ask %s: %w", c.name, err)
	}
	return &got, nil
}

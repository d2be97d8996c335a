package serve

import (
	"encoding/json"
	"errors"
	"fmt"

	"drp/internal/settings"
	"drp/teb"
)

// The values of a trigger script's parameters travel beside the decisions, to clients that have asked for them:
//
//	| DRPV
//	| DRPV  | generation | values, as JSON: ["10", "high"], texts in the order of the table
//
// The first is what a client sends before all else, where the table has parameters: a server of before has none in it, and a client
// of before does not ask. The second comes before the first decision of each generation.
const valuesMagic = "DRPV"

// valuesMessage tells what decisions of a generation were made with.
func valuesMessage(s *teb.Settings) []byte {
	texts := make([]string, len(s.Values))
	for i, v := range s.Values {
		texts[i] = settings.Plain(v)
	}
	text, err := json.Marshal(texts)
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	return append(le.AppendUint32([]byte(valuesMagic), s.Generation), text...)
}

func isValues(b []byte) bool { return len(b) >= 4 && string(b[:4]) == valuesMagic }

// valuesOf reads such a message.
func valuesOf(b []byte, parameters []teb.Parameter) (*teb.Settings, error) {
	var texts []string
	if len(b) < 8 || json.Unmarshal(b[8:], &texts) != nil || len(texts) != len(parameters) {
		return nil, errors.New("teb: the server tells of parameters in a way that is not known")
	}
	s := &teb.Settings{Generation: le.Uint32(b[4:])}
	for i, text := range texts {
		v, err := (&settings.Parameter{Name: parameters[i].Name, Type: parameters[i].Type}).Value(text)
		if err != nil {
			return nil, fmt.Errorf("teb: the server tells of parameters: %w", err)
		}
		s.Values = append(s.Values, v)
	}
	return s, nil
}

// mostGenerations is how many a client remembers: as many as one batch of decisions can have.
const mostGenerations = batchDecisions

// learn takes the values of a generation. The mutex is held.
func (c *Client) learn(b []byte) error {
	s, err := valuesOf(b, c.table.Parameters)
	if err != nil {
		return err
	}
	if len(c.values) == mostGenerations {
		c.values = append(c.values[:0], c.values[1:]...)
	}
	c.values = append(c.values, s)
	return nil
}

// valued gives the values of a generation; nil is not known. The mutex is held.
func (c *Client) valued(generation uint32) *teb.Settings {
	for i := len(c.values) - 1; i >= 0; i-- {
		if c.values[i].Generation == generation {
			return c.values[i]
		}
	}
	return nil
}

// tellValues sends a client the values of the generations among decisions that it was not told of. Each of a row has that of the
// one before, or a later one.
func (me *session) tellValues(some []teb.Decision, told *teb.Settings) (*teb.Settings, error) {
	for i := range some {
		s := some[i].Settings
		if s == nil || s == told {
			continue
		}
		if err := me.Send(valuesMessage(s)); err != nil {
			return told, err
		}
		told = s
	}
	return told, nil
}

// awaitQuestion waits, where there are parameters, until a client has said something: if it asks for their values, it is to have them
// before the first decision.
func (s *Server) awaitQuestion(me *session, e *era) {
	for silent := len(e.t.Parameters()) > 0; silent; {
		s.mu.Lock()
		silent = !me.heard && !me.over
		s.mu.Unlock()
		if silent {
			me.wake.Wait(s.o.Heartbeat)
		}
	}
}

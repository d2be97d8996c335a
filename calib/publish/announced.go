package publish

import (
	"context"
	"sync"
	"time"

	"drp/internal/wire"
)

// answerTime is what a publisher of this machine gets to say what it holds. It keeps its announcement ready.
const answerTime = 2 * time.Second

// Announced gives what the publishers that live in a folder announce at this moment, by the names of their sockets. The
// socket of one that was killed is passed over.
func Announced(folder string) ([]*Announcement, error) {
	sockets, err := Sockets(folder)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	heard := make([]*Announcement, len(sockets))
	var asking sync.WaitGroup
	for i, socket := range sockets {
		asking.Go(func() {
			s, err := Subscribe(wire.Endpoint{Path: socket}, SubscribeOptions{})
			if err != nil {
				return
			}
			defer s.Close()
			if r, err := s.Next(ctx); err == nil {
				heard[i] = r.Announcement
			}
		})
	}
	asking.Wait()
	var all []*Announcement
	for _, a := range heard {
		if a != nil {
			all = append(all, a)
		}
	}
	return all, nil
}

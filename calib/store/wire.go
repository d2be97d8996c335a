package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"

	"drp/calib"
)

// A set travels as multipart/form-data: the document, then the arrays in the order in which it names them, as NPY. So
// curl -F can send one, too.

// writeSet writes document and arrays.
func writeSet(w *multipart.Writer, d *Document, s *calib.Set) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	part, err := w.CreatePart(partHeader("document", "application/json"))
	if err != nil {
		return err
	}
	if _, err := part.Write(text); err != nil {
		return err
	}
	for _, a := range d.Arrays {
		part, err := w.CreatePart(partHeader(a.Name, "application/octet-stream"))
		if err != nil {
			return err
		}
		if err := WriteArray(part, s, a.Name); err != nil {
			return err
		}
	}
	return w.Close()
}

func partHeader(name, kind string) textproto.MIMEHeader {
	return textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf("form-data; name=%q", name)}, "Content-Type": {kind}}
}

// readSet reads what writeSet wrote. What is wrong with a set that came whole is a *calib.RefusedError.
func readSet(r *multipart.Reader) (*calib.Set, error) {
	part, err := nextPart(r, "document")
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(part, maxDocumentBytes+1))
	if err != nil {
		return nil, brokenOff(err)
	}
	d, err := ParseDocument(text)
	if err != nil {
		return nil, refused("a detector", "%v", err)
	}
	s := d.Set()
	for _, a := range d.Arrays {
		part, err := nextPart(r, a.Name)
		if err != nil {
			return nil, err
		}
		if err := readArray(part, s, a); err != nil {
			return nil, refused(d.Detector, "%s: %v", a.Name, err)
		}
	}
	if part, err := r.NextRawPart(); err == nil {
		return nil, refused(d.Detector, "after its arrays comes %q", part.FormName())
	} else if !errors.Is(err, io.EOF) {
		return nil, brokenOff(err)
	}
	return s, verify(s)
}

func nextPart(r *multipart.Reader, name string) (*multipart.Part, error) {
	part, err := r.NextRawPart()
	switch {
	case errors.Is(err, io.EOF):
		return nil, refused("a detector", "%s is missing in what was sent", name)
	case err != nil:
		return nil, brokenOff(err)
	case part.FormName() != name:
		return nil, refused("a detector", "%s should come next in what was sent, and %q does", name, part.FormName())
	}
	return part, nil
}

func brokenOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the set broke off on its way")
	}
	return err
}

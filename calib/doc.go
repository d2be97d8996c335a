// Package calib holds the nouns of calibration: what kinds of detectors there are (Model), what is known of one (Set),
// who keeps it (Store), and which part of it a process needs (Query).
//
// What it means in pixels is the business of calib/correct; where sets are kept, of calib/store; how they come to all
// workers and to others, of calib/publish.
//
// A Set is immutable once it was checked: everybody may read it at the same time, and nobody writes to its arrays.
package calib

package coordinator

import (
	"cloudai/master/internal/cluster"
	"cloudai/master/internal/db"
)

// step is what the machine wants done, in this order.
type step struct {
	abandon  []lostLog            // end the logs of attempts that are lost
	workers  []cluster.WorkerID   // store what they are by then
	writes   []*write             // commit, then feed the answers to committed
	retract  []ownedRef           // take back what was published of these
	discard  []cluster.AttemptRef // and remove what is staged of these
	assigns  []assign
	cancels  []order
	hellos   []Target
	follows  []order
	forget   []cluster.WorkerID
	events   []Event
	readback []*write // find out what became of these
	wake     bool     // dispatch may find work
	fatal    error    // the master must stop
}

// order is a message about one attempt to one worker.
type order struct {
	to  Target
	ref cluster.AttemptRef
}

// ownedRef is an attempt of a person's.
type ownedRef struct {
	owner cluster.UserID
	ref   cluster.AttemptRef
}

// assign is an assignment on its way.
type assign struct {
	to    Target
	order Order
}

type lostLog struct {
	ref    cluster.AttemptRef
	reason string
	write  *write // of the step; it waits for the log's end
}

func (s *step) join(o step) {
	s.abandon = append(s.abandon, o.abandon...)
	s.workers = append(s.workers, o.workers...)
	s.writes = append(s.writes, o.writes...)
	s.retract = append(s.retract, o.retract...)
	s.discard = append(s.discard, o.discard...)
	s.assigns = append(s.assigns, o.assigns...)
	s.cancels = append(s.cancels, o.cancels...)
	s.hellos = append(s.hellos, o.hellos...)
	s.follows = append(s.follows, o.follows...)
	s.forget = append(s.forget, o.forget...)
	s.events = append(s.events, o.events...)
	s.readback = append(s.readback, o.readback...)
	s.wake = s.wake || o.wake
	if s.fatal == nil {
		s.fatal = o.fatal
	}
}

// write is one task's change on its way to the disk.
type write struct {
	db.Write
	entry *task
	loss  *loss         // why, when it ends an attempt without a result
	deed  *cluster.Deed // whose entry goes with it; nil: nobody's
}

package document

import (
	"strconv"

	"cloudai/master/internal/cluster"
)

// auditDoc is all of an entry but its Seq.
type auditDoc struct {
	Time    stamp                `json:"t,omitzero"`
	User    cluster.UserID       `json:"u,omitzero"`
	Via     string               `json:"v,omitzero"`
	Action  string               `json:"a,omitzero"`
	Target  string               `json:"g,omitzero"`
	Owner   cluster.UserID       `json:"o,omitzero"`
	Detail  string               `json:"d,omitzero"`
	Outcome cluster.AuditOutcome `json:"r,omitzero"`
	Status  int                  `json:"s,omitzero"`
	Request string               `json:"q,omitzero"`
	Address string               `json:"ip,omitzero"`
}

// AuditRow is an entry as a row has it: its document, and beside it what lists
// filter by.
type AuditRow struct {
	Seq     int64
	Time    int64 // nanoseconds since 1970
	UserID  string
	Action  string
	Target  string
	Outcome string
	Sum     int64 // of the document with the Seq
	Doc     []byte
}

func auditID(seq int64) string { return strconv.FormatInt(seq, 10) }

// At is the row with another Seq.
func (r AuditRow) At(seq int64) AuditRow {
	r.Seq, r.Sum = seq, Sum(auditID(seq), 0, r.Doc)
	return r
}

// EncodeAudit makes the row of an entry.
func EncodeAudit(e *cluster.AuditEntry) (AuditRow, error) {
	doc, err := Marshal("audit", auditID(e.Seq), &auditDoc{
		Time: toStamp(e.Time), User: e.UserID, Via: e.Via, Action: e.Action, Target: e.Target, Owner: e.Owner, Detail: e.Detail,
		Outcome: e.Outcome, Status: e.Status, Request: e.RequestID, Address: e.Address,
	})
	r := auditColumns(e)
	r.Sum, r.Doc = Sum(auditID(e.Seq), 0, doc), doc
	return r, err
}

// auditColumns are those of an entry's row that stand beside the document.
func auditColumns(e *cluster.AuditEntry) AuditRow {
	return AuditRow{
		Seq: e.Seq, Time: Nanos(e.Time), UserID: string(e.UserID), Action: e.Action, Target: e.Target, Outcome: string(e.Outcome),
	}
}

// DecodeAudit reads the document of an entry, which has no Seq.
func DecodeAudit(doc []byte) (cluster.AuditEntry, error) {
	r := AuditRow{Doc: doc}.At(0)
	return r.entry()
}

// Entry reads a row that EncodeAudit made, after a look at its checksum and at
// what stands beside the document; a db.ErrDamaged.
func (r *AuditRow) Entry() (cluster.AuditEntry, error) {
	e, err := r.entry()
	if err != nil {
		return e, err
	}
	if is := auditColumns(&e); is.Time != r.Time || is.UserID != r.UserID || is.Action != r.Action || is.Target != r.Target || is.Outcome != r.Outcome {
		return cluster.AuditEntry{}, Damaged("audit", auditID(r.Seq), "its columns are not those of its document")
	}
	return e, nil
}

// entry reads the document.
func (r *AuditRow) entry() (cluster.AuditEntry, error) {
	var d auditDoc
	if err := unmarshal("audit", auditID(r.Seq), 0, r.Sum, r.Doc, &d); err != nil {
		return cluster.AuditEntry{}, err
	}
	return cluster.AuditEntry{
		Seq: r.Seq, Time: d.Time.time(), UserID: d.User, Via: d.Via, Action: d.Action, Target: d.Target, Owner: d.Owner, Detail: d.Detail,
		Outcome: d.Outcome, Status: d.Status, RequestID: d.Request, Address: d.Address,
	}, nil
}

package postgres

// post runs a statement whose outcome nobody waits for.
func (c *session) post(sql string, args ...any) error {
	_, err := c.exec(sql, args...)
	return err
}

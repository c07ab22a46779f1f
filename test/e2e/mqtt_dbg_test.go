package e2e_test
import ("net";"fmt")
type dbg struct{ net.Conn }
func (d dbg) Read(b []byte) (int, error) { n, err := d.Conn.Read(b); fmt.Printf("R %x %v\n", b[:n], err); return n, err }
func (d dbg) Write(b []byte) (int, error) { n, err := d.Conn.Write(b); fmt.Printf("W %x %v\n", b, err); return n, err }

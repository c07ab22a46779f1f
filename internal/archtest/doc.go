// Package archtest holds the import table of the project in a test: which
// package may know which, and why. There is no code here to import.
//
// A new package gets a row in table_test.go. A new import that the table does
// not allow is a question about the design before it is a row.
package archtest

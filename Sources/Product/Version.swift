/// The version of both programs.
package let version = "1.0.0"

/// What `--help` says, and arguments that nobody understands.
enum Usage {
    static let text = """
        roost-bluetooth: Roost's bridge to Bluetooth devices. roostd runs it for a [[module]] with program = "bluetooth".

          roost-bluetooth scan [--adapter hci0] [--seconds N] [--keys FILE] [--all] [--json]
              what can be heard, and the [[module]] table for it. --all: devices that say nothing that can be decoded, too
          roost-bluetooth decode
              reads lines "ADDRESS service:fcd2|manufacturer:0499 HEX [KEY]" and says what each means, as JSON
          roost-bluetooth --check
              reads a module's table as JSON and says what is wrong with it (roostd --check does this)
          roost-bluetooth --version

        EXAMPLE
          roost-bluetooth scan --seconds 20
          echo 'A4:C1:38:00:11:22 service:fcd2 4002ca0903bf13' | roost-bluetooth decode
        """
}

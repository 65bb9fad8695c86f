"""A Modbus server by pymodbus 3, which others wrote: `tcp PORT`, `rtu DEVICE` or `rtutcp PORT`.

Holding registers 0..199 hold 1000 + address, input registers 2000 + address, coils and discrete inputs every third one. The
holding registers 100..101 hold the float 21.5 with its words swapped.
"""

import asyncio
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.server import async_io
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer


def unit():
    holding = [1000 + place for place in range(200)]
    holding[100:102] = [0x0000, 0x41AC]
    return ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [place % 3 == 1 for place in range(200)]),
        co=ModbusSequentialDataBlock(0, [place % 3 == 0 for place in range(200)]),
        hr=ModbusSequentialDataBlock(0, holding),
        ir=ModbusSequentialDataBlock(0, [2000 + place for place in range(200)]),
        zero_mode=True,
    )


async def serve(kind, place):
    identity = ModbusDeviceIdentification(
        info_name={"VendorName": "Pymodbus", "ProductCode": "PM", "MajorMinorRevision": "3.0", "ModelName": "Test"}
    )
    context = ModbusServerContext(slaves={1: unit(), 2: unit()}, single=False)
    if kind == "rtu":
        server = async_io.ModbusSerialServer(
            context, framer=ModbusRtuFramer, identity=identity, port=place, baudrate=19200, parity="N", stopbits=1,
            bytesize=8, timeout=1, ignore_missing_slaves=True)
        await server.start()
    else:
        framer = ModbusSocketFramer if kind == "tcp" else ModbusRtuFramer
        server = async_io.ModbusTcpServer(
            context, framer=framer, identity=identity, address=("127.0.0.1", int(place)),
            ignore_missing_slaves=True, allow_reuse_address=True)
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(serve(sys.argv[1], sys.argv[2]))

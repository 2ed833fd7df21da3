"""Lease a synthesiser from the speech pool and have it speak: `internal_caller.py TEXT OUT.wav`.

Where the mesh knows its callers by certificates, VOICEMESH_TLS_CERTIFICATE, VOICEMESH_TLS_KEY and
VOICEMESH_TLS_CA name PEM files, and the mesh's VOICEMESH_CALLERS gives that certificate the role
speech-client.
"""

import os
import sys
import uuid
import wave
from pathlib import Path

import grpc

from voicemesh.speech.v1 import speech_event_pb2 as event
from voicemesh.speech.v1 import speech_pb2, speech_pb2_grpc, speech_pool_pb2, speech_pool_pb2_grpc


def dial(address: str) -> grpc.Channel:
    """A channel to a pod of the speech pool, which must have its certificate if we have one."""
    files = [os.environ.get(f"VOICEMESH_TLS_{name}", "") for name in ("CA", "KEY", "CERTIFICATE")]
    if not all(files):
        return grpc.insecure_channel(address)
    credentials = grpc.ssl_channel_credentials(*(Path(file).read_bytes() for file in files))
    # Pods are dialled by address, and their certificates name the service.
    named = [("grpc.ssl_target_name_override", "speech-pool.voicemesh")]
    return grpc.secure_channel(address, credentials, named)


text, path, *pool = sys.argv[1:]
session = f"sessions/{uuid.uuid4()}"
kind = speech_pool_pb2.CLIENT_KIND_SYNTHESIZER
with dial(pool[0] if pool else "127.0.0.1:50051") as channel:
    stub = speech_pool_pb2_grpc.SpeechPoolServiceStub(channel)
    request = speech_pool_pb2.AllocateClientRequest(
        session=session, client_kind=kind, request_id="1"
    )
    lease = stub.AllocateClient(request, timeout=5).lease
    print(lease.name, speech_pool_pb2.AllocationTier.Name(lease.tier), "at", lease.address)
    pcm = event.AudioFormat(encoding=event.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=16000)
    config = event.SynthesisConfig(lease=lease.name, audio_format=pcm)
    segment = event.SynthesisSegment(segment="t1/s0", text=text)
    requests = [
        speech_pb2.StreamingSynthesizeRequest(config=config),
        speech_pb2.StreamingSynthesizeRequest(segment=segment),
    ]
    with dial(lease.address) as pod, wave.open(path, "wb") as out:
        out.setparams((1, 2, 16000, 0, "NONE", ""))
        for answer in speech_pb2_grpc.SpeechServiceStub(pod).StreamingSynthesize(
            iter(requests), timeout=30
        ):
            out.writeframes(answer.audio.audio)
        print(f"{out.getnframes() / 16000:.2f} s of speech in {path}")
    stub.ReleaseLease(speech_pool_pb2.ReleaseLeaseRequest(name=lease.name), timeout=5)

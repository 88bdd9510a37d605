//! Draws on a device without a window, which computes for Burn, too.

use std::sync::mpsc::channel;

use egui::epaint::ClippedShape;
use egui::{Context, FullOutput};
use egui_wgpu::{Renderer, RendererOptions, ScreenDescriptor};
use futures_lite::future::block_on;
use moving_digits::picture::Canvas;

use crate::gpu::{SharedGpu, descriptor};
use crate::stage::{PaintError, Painter};

/// Four bytes a pixel, blended as egui wants it.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;

/// A picture on a device.
pub struct Offscreen {
    device: wgpu::Device,
    queue: wgpu::Queue,
    renderer: Renderer,
    target: wgpu::Texture,
}

impl Offscreen {
    /// A picture of `size = [width, height]` pixels on the best adapter of the machine, and Burn on the same device.
    ///
    /// # Errors
    ///
    /// If there is no adapter on which both are to be had, or the picture is too large for it.
    pub fn new(size: [usize; 2]) -> Result<(Self, SharedGpu), String> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::PRIMARY,
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = block_on(instance.request_adapter(&options)).map_err(|error| {
            format!("there is no GPU, nor a driver that stands in for one: {error}")
        })?;
        let (device, queue) = block_on(adapter.request_device(&descriptor(&adapter)))
            .map_err(|error| format!("{} makes no device: {error}", adapter.get_info().name))?;
        let gpu = SharedGpu::new(&adapter, &device, &queue)?;
        let [width, height] = size.map(|side| side as u32);
        let limit = device.limits().max_texture_dimension_2d;
        if width.max(height) > limit {
            return Err(format!(
                "{} draws at most {limit} pixels a side",
                gpu.name()
            ));
        }
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("picture"),
            size: wgpu::Extent3d {
                width,
                height,
                depth_or_array_layers: 1,
            },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: FORMAT,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        // Not `RendererOptions::PREDICTABLE`, which smooths every texture, also those that ask for none.
        let options = RendererOptions {
            dithering: false,
            ..Default::default()
        };
        let renderer = Renderer::new(&device, FORMAT, options);
        let offscreen = Self {
            device,
            queue,
            renderer,
            target,
        };
        Ok((offscreen, gpu))
    }

    /// The device, to those who want to lose it.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    fn draw(&mut self, ctx: &Context, shapes: Vec<ClippedShape>, scale: f32) {
        let primitives = ctx.tessellate(shapes, scale);
        let screen = ScreenDescriptor {
            size_in_pixels: [self.target.width(), self.target.height()],
            pixels_per_point: scale,
        };
        let mut encoder = self.device.create_command_encoder(&Default::default());
        let buffers = self.renderer.update_buffers(
            &self.device,
            &self.queue,
            &mut encoder,
            &primitives,
            &screen,
        );
        let [r, g, b, a] = ctx.global_style().visuals.panel_fill.to_array();
        let [r, g, b, a] = [r, g, b, a].map(|byte| f64::from(byte) / 255.0);
        let view = self.target.create_view(&Default::default());
        let mut pass = encoder
            .begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("picture"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    resolve_target: None,
                    ops: wgpu::Operations {
                        load: wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a }),
                        store: wgpu::StoreOp::Store,
                    },
                    depth_slice: None,
                })],
                ..Default::default()
            })
            .forget_lifetime();
        self.renderer.render(&mut pass, &primitives, &screen);
        drop(pass);
        let commands = buffers.into_iter().chain([encoder.finish()]);
        self.queue.submit(commands);
    }

    /// The picture, read back.
    fn read(&self) -> Result<Canvas, PaintError> {
        let failed = |error: &dyn std::fmt::Display| PaintError::Device(error.to_string());
        let (width, height) = (self.target.width(), self.target.height());
        // A row takes a multiple of so many bytes.
        let stride = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(stride) * u64::from(height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            self.target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &buffer,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(stride),
                    rows_per_image: None,
                },
            },
            self.target.size(),
        );
        self.queue.submit([encoder.finish()]);
        let (tell, told) = channel();
        buffer
            .slice(..)
            .map_async(wgpu::MapMode::Read, move |mapped| {
                // Nobody waits for it if the device failed before.
                let _ = tell.send(mapped);
            });
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|error| failed(&error))?;
        let mapped = told.recv().map_err(|error| failed(&error))?;
        mapped.map_err(|error| failed(&error))?;
        let bytes = buffer.slice(..).get_mapped_range();
        let rows = bytes.chunks_exact(stride as usize);
        let colors = rows.flat_map(|row| {
            let pixels = row[..4 * width as usize].chunks_exact(4);
            pixels.map(|pixel| [pixel[0], pixel[1], pixel[2]])
        });
        Ok(Canvas::from_pixels(width, height, colors)?)
    }
}

impl Painter for Offscreen {
    fn paint(
        &mut self,
        ctx: &Context,
        output: FullOutput,
        wanted: bool,
    ) -> Result<Option<Canvas>, PaintError> {
        for (id, image) in &output.textures_delta.set {
            self.renderer
                .update_texture(&self.device, &self.queue, *id, image);
        }
        let mut picture = None;
        if wanted {
            self.draw(ctx, output.shapes, output.pixels_per_point);
            picture = Some(self.read()?);
        }
        for id in &output.textures_delta.free {
            self.renderer.free_texture(id);
        }
        Ok(picture)
    }
}
